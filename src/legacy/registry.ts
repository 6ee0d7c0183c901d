/** What a start needs only once in the life of a state folder. */
export const PARTS = {
  firstStart: () => import("./first-start.ts"),
};
