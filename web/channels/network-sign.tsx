/** A sign for each network, drawn by us; the gateway names it as Apple's set of symbols does. */
const PATHS: Readonly<Record<string, string>> = {
  paperplane: "M3.5 9.8 16.5 4l-3.2 12-3.6-3.6zM16.5 4l-6.8 8.4v3.8l2-2",
  message:
    "M10 3.8a6.2 6.2 0 0 0-5.4 9.3l-.9 3.1 3.2-.8A6.2 6.2 0 1 0 10 3.8zM7.8 8.300a4.500 4.500 0 0 0 4 3.700",
  "bubble.left.and.bubble.right":
    "M3.500 5.500A1.500 1.500 0 0 1 5 4h6a1.500 1.500 0 0 1 1.500 1.500v3A1.500 1.500 0 0 1 11 10H7.500l-2.500 2v-2a1.500 1.500 0 0 1-1.500-1.500zM15 7.500a1.500 1.500 0 0 1 1.500 1.500v3.500A1.500 1.500 0 0 1 15 14v2l-2.500-2H10a1.500 1.500 0 0 1-1.500-1.500",
};
const OTHER =
  "M4 5.5A1.5 1.5 0 0 1 5.500 4h9A1.500 1.500 0 0 1 16 5.500v6a1.500 1.500 0 0 1-1.500 1.500H9l-3.600 3v-3A1.500 1.500 0 0 1 4 11.500z";

/** Decorative; the name stands beside it. */
export const NetworkSign = ({ image = "" }: { image?: string }) => (
  <span class="network" aria-hidden="true">
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20">
      <path d={PATHS[image] ?? OTHER} />
    </svg>
  </span>
);
