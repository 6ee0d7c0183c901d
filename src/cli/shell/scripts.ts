/**
 * The scripts that make the shells ask the program at every press of Tab. They hold no commands, so they stay right when the program is
 * updated. Where it has nothing to offer, the shell offers files.
 */
import { NAMES, PRODUCT } from "../../base/brand.ts";
import type { Shell } from "./rc.ts";

/** The name that the output has first. */
const ALL = [PRODUCT, ...NAMES.filter((name) => name !== PRODUCT)];

const BASH = `# bash completion of ${PRODUCT}
_${PRODUCT}_complete() {
  local line program=\${COMP_WORDS[0]}
  command -v -- "$program" >/dev/null 2>&1 || program=${PRODUCT}
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("$line")
  done < <("$program" completion --complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _${PRODUCT}_complete ${ALL.join(" ")}
`;

const ZSH = `#compdef ${ALL.join(" ")}
# zsh completion of ${PRODUCT}
_${PRODUCT}() {
  local line program=\${(Q)words[1]}
  local -a lines described
  whence -- "$program" >/dev/null 2>&1 || program=${PRODUCT}
  lines=("\${(@f)$("$program" completion --complete --describe -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${lines[@]}"; do
    [[ -n $line ]] || continue
    described+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}")
  done
  if (( \${#described} )); then
    _describe -V '${PRODUCT}' described
  else
    _files
  fi
}
if [[ \${zsh_eval_context[-1]} == loadautofunc ]]; then
  # A file of fpath: this is the first call of the function.
  _${PRODUCT} "$@"
else
  if ! (( \${+functions[compdef]} )); then
    autoload -Uz compinit && compinit -i
  fi
  compdef _${PRODUCT} ${ALL.join(" ")}
fi
`;

const FISH = `# fish completion of ${PRODUCT}
function __${PRODUCT}_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    command -q -- $program; or set program ${PRODUCT}
    set -l found ($program completion --complete --describe -- $words[2..-1] "$current" 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path "$current"
    end
end
${ALL.map((name) => `complete -c ${name} -f -a '(__${PRODUCT}_complete)'`).join("\n")}
`;

const POWERSHELL = `# PowerShell completion of ${PRODUCT}
Register-ArgumentCompleter -Native -CommandName ${ALL.join(", ")} -ScriptBlock {
  param($wordToComplete, $commandAst, $cursorPosition)
  $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
    Where-Object { $_.Extent.EndOffset -le $cursorPosition } | ForEach-Object { $_.ToString() })
  # An empty argument is lost on its way to a program in older versions, so it is said with a flag.
  $next = if ($wordToComplete -eq '') { @('--next-word') } else { @() }
  & ${PRODUCT} completion --complete --describe @next -- @words 2>$null | ForEach-Object {
    $name, $what = $_ -split "\`t", 2
    if (-not $what) { $what = $name }
    [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $what)
  }
}
`;

export const SCRIPTS: Record<Shell, string> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
};
