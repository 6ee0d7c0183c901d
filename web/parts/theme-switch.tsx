import { setTheme, theme } from "../state.ts";
import { strings } from "../strings.ts";
import { systemWords } from "../strings/system.ts";
import { Icon } from "./icons.tsx";

const CHOICES = [
  ["system", "auto", strings.themeSystem],
  ["light", "sun", strings.themeLight],
  ["dark", "moon", strings.themeDark],
] as const;

/** Light, dark, or as the system says. */
export function ThemeSwitch() {
  return (
    <div class="segments" role="radiogroup" aria-label={systemWords.theme}>
      {CHOICES.map(([value, icon, name]) => (
        <label key={value} title={name}>
          <input
            type="radio"
            name="theme"
            class="sr-only"
            checked={theme.value === value}
            onChange={() => setTheme(value)}
          />
          <Icon name={icon} />
          <span>{name}</span>
        </label>
      ))}
    </div>
  );
}
