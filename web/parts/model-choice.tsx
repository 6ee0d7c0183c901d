import { addModel, chooseModel, defaultModel, modelOf, models } from "../state.ts";
import { strings } from "../strings.ts";

const ADD = " add";

/** Which model answers here, and a way to another one. */
export function ModelChoice({ sessionKey }: { sessionKey: string }) {
  const current = modelOf(sessionKey);
  const refs = models.value.map(
    (m) => m.ref ?? (m.id.includes("/") ? m.id : `${m.provider}/${m.id}`),
  );
  if (!current) return null;
  const options = [...new Set([current, ...refs])];
  return (
    <select
      class="model"
      aria-label={strings.model}
      title={current}
      value={current}
      onChange={(event) => {
        const select = event.currentTarget;
        const { value } = select;
        // What is shown stays what is true until the gateway has said yes.
        select.value = current;
        if (value === ADD) addModel();
        else void chooseModel(sessionKey, value === defaultModel.value ? null : value);
      }}
    >
      {options.map((ref) => (
        <option key={ref} value={ref}>
          {ref === defaultModel.value && options.length > 1 ? strings.defaultModel(ref) : ref}
        </option>
      ))}
      <option value={ADD}>{strings.addModel}…</option>
    </select>
  );
}
