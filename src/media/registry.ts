/** Bigger parts that few messages need, loaded on first use: the HTTP client of Node alone takes a megabyte. */
export const PARTS = {
  fetch: () => import("./fetch.ts"),
};
