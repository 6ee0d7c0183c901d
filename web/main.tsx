import { render } from "preact";

import { connect, followLink, takeLink } from "./connection.ts";
import { Frame } from "./frame.tsx";
import { prepareLater } from "./lazy.tsx";
import { loadReader } from "./markdown.ts";
import { startPeople } from "./people.ts";
import { startRouter } from "./router.ts";
import { startStore } from "./state.ts";

startStore();
startPeople();
prepareLater();
// The secret leaves the address before anything else reads it; a one-time link is exchanged while the page is drawn.
const link = takeLink();
startRouter();
render(<Frame />, document.getElementById("app")!);
void loadReader();
await link;
connect();
addEventListener("hashchange", () => void followLink());
