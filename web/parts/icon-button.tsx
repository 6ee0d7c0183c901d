import { Icon, type IconName } from "./icons.tsx";

/** A quiet button that is only an icon; its name is read out and shown on hover. */
export function IconButton({
  icon,
  label,
  tip = label,
  onClick,
}: {
  icon: IconName;
  label: string;
  /** What is shown on hover, when the name is longer than it need be for the eye. */
  tip?: string;
  onClick: () => void;
}) {
  return (
    <button type="button" class="quiet icon-only" aria-label={label} title={tip} onClick={onClick}>
      <Icon name={icon} />
    </button>
  );
}
