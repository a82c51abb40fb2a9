// Where the page begins.
import { render } from "preact";
import { App } from "./page/App";
import { showRememberedTheme } from "./page/theme";
import "./style/theme.css";
import "./style/base.css";
import "./style/page.css";
import "./style/board.css";
import "./style/panels.css";
import "./style/over.css";

showRememberedTheme();
render(<App />, document.getElementById("app")!);
