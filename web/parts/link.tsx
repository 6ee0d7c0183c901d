import type { ComponentChildren } from "preact";

import { go, hrefOf, type Route } from "../router.ts";

/** A link within the page. Opens like any link with a modifier key or the middle button. */
export function RouteLink({
  to,
  children,
  ...rest
}: {
  to: Route;
  children: ComponentChildren;
  class?: string;
  dir?: "auto";
  "aria-current"?: "page" | "true";
}) {
  return (
    <a
      {...rest}
      href={hrefOf(to)}
      onClick={(event) => {
        if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey)
          return;
        event.preventDefault();
        go(to);
      }}
    >
      {children}
    </a>
  );
}
