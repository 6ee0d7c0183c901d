import type { ComponentChildren } from "preact";

/** A line of a card's list. Nothing is shown for what is not known. */
export const Fact = ({ name, children }: { name: string; children: ComponentChildren }) =>
  children === undefined || children === null || children === false || children === "" ? null : (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
