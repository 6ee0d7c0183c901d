import { RouteLink } from "../parts/link.tsx";
import { strings } from "../strings.ts";

/** An address that is no page of ours. */
export default function Missing() {
  return (
    <section class="page-view">
      <div class="empty">
        <h1>{strings.missingTitle}</h1>
        <p class="muted">{strings.missingText}</p>
        <RouteLink to={{ page: "chat" }} class="button">
          {strings.backToChat}
        </RouteLink>
      </div>
    </section>
  );
}
