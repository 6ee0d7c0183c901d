import { Component, type ComponentChildren, type FunctionComponent, h } from "preact";

/** A component that is drawn again only when `same` says that its properties changed. (preact/compat has this, and a lot more.) */
export function memo<P extends object>(
  view: (props: P) => ComponentChildren,
  same: (before: P, after: P) => boolean,
): FunctionComponent<P> {
  class Memo extends Component<P> {
    override shouldComponentUpdate(next: P): boolean {
      return !same(this.props as P, next);
    }
    override render() {
      return h(view as FunctionComponent<P>, this.props as P);
    }
  }
  return Memo as unknown as FunctionComponent<P>;
}
