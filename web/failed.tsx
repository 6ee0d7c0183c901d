import type { RpcError } from "./connection.ts";
import { plainName } from "./names.ts";
import { CopyButton } from "./parts/copy.tsx";
import { Icon } from "./parts/icons.tsx";
import { strings } from "./strings.ts";
import { Told } from "./told.tsx";

/** A question that the gateway answered with an error: what failed, why, what to do. */
export function Failed({
  title,
  error,
  again,
}: {
  title: string;
  error: RpcError;
  again?: () => void;
}) {
  return (
    <div class="problem" role="alert">
      <Icon name="warn" />
      <div>
        <strong>{title}</strong>
        <p dir="auto">
          <Told text={plainName([error.message, error.hint].filter(Boolean).join(" "), 600)} />
        </p>
      </div>
      <CopyButton value={JSON.stringify(error.shape, null, 2)} label={strings.copyDetails} words />
      {again && (
        <button type="button" class="button" onClick={again}>
          {strings.tryAgain}
        </button>
      )}
    </div>
  );
}
