/** Networks that are not set up yet, each with the way to add it. */
import { CodeBlock } from "../parts/markdown.tsx";
import { channelWords as words } from "../strings/channels.ts";
import { NetworkSign } from "./network-sign.tsx";

type Network = { id: string; label: string; image: string | undefined };

/** `first`: nothing is set up at all, so the way is shown at once. */
export function AddChannels({ networks, first }: { networks: Network[]; first: boolean }) {
  if (!networks.length) return null;
  return (
    <section class="add-channels" aria-labelledby="add-title">
      <h2 id="add-title">{words.addTitle}</h2>
      {networks.map((network, i) => (
        <AddChannel key={network.id} network={network} open={first && i === 0} />
      ))}
    </section>
  );
}

function AddChannel({ network: { id, label, image }, open }: { network: Network; open: boolean }) {
  const { steps, docs } = words.setup[id] ?? words.setupOf(id);
  return (
    <details class="card add-channel" open={open}>
      <summary>
        <NetworkSign image={image} />
        {words.howToAdd(label)}
      </summary>
      <ol class="steps">
        {steps.map(({ text, command }) => (
          <li key={text}>
            {text}
            {command && <CodeBlock text={command} lang="sh" />}
          </li>
        ))}
      </ol>
      <p class="muted">
        {words.docs} <code>{docs}</code>
      </p>
    </details>
  );
}
