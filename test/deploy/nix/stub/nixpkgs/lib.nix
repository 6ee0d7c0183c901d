# The few functions of nixpkgs' lib that our files use, and a small evaluator of modules: options with types, imports, mkIf pushed
# down to the options, submodules, aliases. Enough to see what a module makes of a configuration, and that a wrong one is refused.
rec {
  inherit (builtins) concatLists concatMap concatStringsSep filter foldl' head isAttrs listToAttrs mapAttrs replaceStrings;
  optional = cond: value: if cond then [ value ] else [ ];
  optionals = cond: values: if cond then values else [ ];
  optionalString = cond: text: if cond then text else "";
  optionalAttrs = cond: attrs: if cond then attrs else { };
  genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
  nameValuePair = name: value: { inherit name value; };
  mapAttrsToList = f: attrs: map (name: f name attrs.${name}) (builtins.attrNames attrs);
  mapAttrs' = f: attrs: listToAttrs (mapAttrsToList f attrs);
  filterAttrs = keep: attrs: listToAttrs (filter (p: keep p.name p.value) (mapAttrsToList nameValuePair attrs));
  recursiveUpdate = a: b:
    a // mapAttrs (name: value: if isAttrs value && isAttrs (a.${name} or null) && !(value ? drvPath) then recursiveUpdate a.${name} value else value) b;
  imap0 = f: list: builtins.genList (i: f i (builtins.elemAt list i)) (builtins.length list);
  last = list: builtins.elemAt list (builtins.length list - 1);
  count = f: list: builtins.length (filter f list);
  unique = foldl' (seen: x: if builtins.elem x seen then seen else seen ++ [ x ]) [ ];
  findFirst = f: default: list: let found = filter f list; in if found == [ ] then default else head found;
  concatStrings = concatStringsSep "";
  hasPrefix = prefix: text: builtins.substring 0 (builtins.stringLength prefix) text == prefix;
  removePrefix = prefix: text:
    if hasPrefix prefix text then builtins.substring (builtins.stringLength prefix) (-1) text else text;
  splitString = sep: text: filter builtins.isString (builtins.split sep text);
  boolToString = value: if value then "true" else "false";
  escapeShellArg = value: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString value)}'";
  escapeShellArgs = values: concatStringsSep " " (map escapeShellArg values);
  makeBinPath = packages: concatStringsSep ":" (map (package: "${package}/bin") packages);
  licenses.mit = "MIT";
  sourceTypes.binaryNativeCode = "binary";
  fetchers.proxyImpureEnvVars = [ ];
  hm.dag = {
    entryBefore = before: data: { inherit before data; };
    entryAfter = after: data: { inherit after data; };
    entryBetween = before: after: data: { inherit before after data; };
  };

  mkOption = option: { _type = "option"; } // option;
  mkEnableOption = _: mkOption { type = types.bool; default = false; };
  literalExpression = text: { _type = "literalExpression"; inherit text; };
  mkIf = condition: content: { _type = "if"; inherit condition content; };
  mkAliasOptionModule = from: to: { _alias = { inherit from to; }; };

  types =
    let
      named = name: check: { inherit name check; merge = loc: values: last (map (checked name check loc) values); };
      checked = name: check: loc: value:
        if check value then value else throw "The option `${concatStringsSep "." loc}' is not of type ${name}.";
    in
    rec {
      str = named "str" builtins.isString;
      bool = named "bool" builtins.isBool;
      port = named "port" (v: builtins.isInt v && v >= 0 && v <= 65535);
      path = named "path" (v: builtins.isPath v || (builtins.isString v && hasPrefix "/" v) || v ? outPath);
      raw = named "raw" (_: true);
      package = named "package" (v: v ? outPath);
      enum = values: named "enum" (v: builtins.elem v values);
      anything = named "anything" (_: true) // {
        merge = loc: values: foldl' (a: b: if isAttrs a && isAttrs b then recursiveUpdate a b else b) (head values) (builtins.tail values);
      };
      nullOr = type: named "nullOr" (_: true) // {
        merge = loc: values: if last values == null then null else type.merge loc values;
      };
      either = a: b: named "either" (v: a.check v || b.check v) // {
        merge = loc: values: (if a.check (last values) then a else b).merge loc values;
      };
      listOf = type: named "listOf" builtins.isList // {
        merge = loc: values: concatMap (value: imap0 (i: item: type.merge (loc ++ [ (toString i) ]) [ item ]) (checked "listOf" builtins.isList loc value)) values;
      };
      attrsOf = type: named "attrsOf" isAttrs // {
        merge = loc: values: mapAttrs (name: items: type.merge (loc ++ [ name ]) items)
          (builtins.zipAttrsWith (_: items: items) (map (checked "attrsOf" isAttrs loc) values));
      };
      submodule = module: named "submodule" isAttrs // {
        merge = loc: values: evalAt loc { name = last loc; } ([ module ] ++ map (value: { config = checked "submodule" isAttrs loc value; }) values);
      };
    };

  evalModules = { modules, specialArgs ? { } }: { config = evalAt [ ] specialArgs modules; };

  evalAt = loc: args: modules:
    let
      config = evalOptions loc (foldl' recursiveUpdate { } (map (m: m.options or { }) all)) (map rename (map body all));
      load = module:
        let
          value = if builtins.isPath module || builtins.isString module then import module else module;
          loaded = if builtins.isFunction value then value ({ inherit config; } // args) else value;
        in
        concatMap load (loaded.imports or [ ]) ++ [ loaded ];
      all = concatMap load modules;
      body = m: if m ? config || m ? options then m.config or { } else removeAttrs m [ "imports" "_alias" ];
      aliases = concatMap (m: optional (m ? _alias) m._alias) all;
      rename = def: foldl' move def aliases;
      move = def: { from, to }:
        let group = head from; name = last from; moved = (def.${group} or { }).${name} or null;
        in if !(isAttrs def) || def._type or "" == "if" || moved == null then def
        else recursiveUpdate (def // { ${group} = removeAttrs def.${group} [ name ]; }) { ${head to}.${last to} = moved; };
    in
    config;

  evalOptions = loc: options: defs:
    let
      names = def: if def._type or "" == "if" then names def.content else builtins.attrNames def;
      unknown = filter (name: !(options ? ${name})) (concatMap (def: if def._type or "" == "if" then [ ] else names def) defs);
      below = name: concatMap (def:
        if def._type or "" == "if" then map (mkIf def.condition) (optional (def.content ? ${name}) def.content.${name})
        else optional (def ? ${name}) def.${name}) defs;
      decide = def: if def._type or "" == "if" then (if def.condition then decide def.content else [ ]) else [ def ];
      value = name: option:
        let values = concatMap decide (below name); at = loc ++ [ name ];
        in if option._type or "" != "option" then evalOptions at option (below name)
        else if values != [ ] then option.type.merge at values
        else option.default or (throw "The option `${concatStringsSep "." at}' has no value.");
    in
    if unknown != [ ] then throw "The option `${concatStringsSep "." (loc ++ [ (head unknown) ])}' does not exist."
    else mapAttrs value options;
}
