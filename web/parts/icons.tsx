/** The one icon set: 20 px outlines, drawn with the text colour. Decorative; the control around it has the name. */
const PATHS = {
  chat: "M4 5.5A1.5 1.5 0 0 1 5.5 4h9A1.5 1.5 0 0 1 16 5.5v6a1.5 1.5 0 0 1-1.5 1.5H9l-3.6 3v-3A1.5 1.5 0 0 1 4 11.5z",
  list: "M4 5.5h12M4 10h12M4 14.5h8",
  system: "M3.5 10h2.7l2-5 3.6 10 2-5h2.7",
  channels: "M7 3.5v3.5M13 3.5v3.5M5 7h10v2.5a5 5 0 0 1-10 0zM10 14.5v2.5",
  inbox: "M3.5 11.5 6 4.5h8l2.5 7v4h-13zM3.5 11.5h3.7a2.8 2.8 0 0 0 5.6 0h3.7",
  plus: "M10 4.5v11M4.5 10h11",
  send: "M10 15.5v-11M5.5 9 10 4.5 14.5 9",
  stop: "M6.5 6.5h7v7h-7z",
  image:
    "M4 5.5A1.5 1.5 0 0 1 5.5 4h9A1.5 1.5 0 0 1 16 5.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 4 14.5zM4.5 13l3.2-3.2 2.8 2.8 1.7-1.7 3.3 3.3M12.5 7.5h.01",
  copy: "M7.5 7.5h8v8h-8zM12.5 7.5v-3h-8v8h3",
  link: "M8.5 11.5a3 3 0 0 0 4.3.1l2.2-2.2a3 3 0 0 0-4.3-4.3l-1 1M11.5 8.5a3 3 0 0 0-4.3-.1L5 10.6a3 3 0 0 0 4.3 4.3l1-1",
  check: "M4.5 10.5 8 14l7.5-8",
  cross: "M5.5 5.5l9 9M14.5 5.5l-9 9",
  right: "M8 5.5 12.5 10 8 14.5",
  down: "M10 4.5v11M5.5 11 10 15.5 14.5 11",
  edit: "M4.5 15.5v-3l8-8 3 3-8 8z",
  bin: "M4.5 6h11M8 6V4.5h4V6M6 6l.7 9.5h6.6L14 6",
  fresh: "M6 3.5h5l3.5 3.5v9.5H6zM10.250 9.5v4M8.250 11.5h4",
  wrench:
    "M11.7 8.3a3.3 3.3 0 0 1 4-4.2l-2 2 .3 1.9 1.9.3 2-2a3.3 3.3 0 0 1-4.2 4l-5.2 5.2a1.5 1.5 0 0 1-2.1-2.1z",
  terminal: "M4.5 6l4 4-4 4M10 14.5h5.5",
  file: "M6 3.5h5l3.5 3.5v9.5H6zM11 3.5V7h3.5",
  bulb: "M7.5 15.5h5M8.5 17.5h3M10 3a4.7 4.7 0 0 0-2.7 8.5c.5.4.7.9.7 1.5h4c0-.6.2-1.1.7-1.5A4.7 4.7 0 0 0 10 3z",
  warn: "M10 4 17 16H3zM10 8.5v3.5M10 14h.01",
  info: "M10 3.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM10 9.5v4M10 6.8h.01",
  search: "M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM12.7 12.7 16.5 16.5",
  command:
    "M7.5 7.5h5v5h-5zM7.5 7.5V6A1.750 1.750 0 1 0 5.750 7.5zM12.5 7.5h1.750A1.750 1.750 0 1 0 12.5 5.750zM12.5 12.5v1.750a1.750 1.750 0 1 0 1.750-1.750zM7.5 12.5H5.750a1.750 1.750 0 1 0 1.750 1.750z",
  sun: "M10 6.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4zM10 2.5v1.5M10 16v1.5M2.5 10H4M16 10h1.5M4.7 4.7l1 1M14.3 14.3l1 1M4.7 15.3l1-1M14.3 5.7l1-1",
  moon: "M16 11.5A6.5 6.5 0 0 1 8.5 4 6.5 6.5 0 1 0 16 11.5z",
  auto: "M10 3.5a6.5 6.5 0 1 0 0 13zM10 3.5a6.5 6.5 0 0 1 0 13",
  out: "M8 4.5H4.5v11H8M12 6.5l3.5 3.5-3.5 3.5M15.5 10H8",
} as const;
export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { name: IconName }) => (
  <svg class={`icon icon-${name}`} viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
    <path d={PATHS[name]} />
  </svg>
);

/** The claw marks: the product's sign. */
export const Mark = () => (
  <svg class="mark" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
    <rect width="32" height="32" rx="9" />
    <path d="M10.2 22.6C8 17.6 8.2 12.4 11.4 8.4M15.4 23.8c-1-5.6-.2-10.4 2.3-14.6M20.8 22.8c.4-4.2 1.5-7.4 3.2-10" />
  </svg>
);
