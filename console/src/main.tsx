// Where the page begins.
import { render } from "preact";
import { App } from "./page/App";
import { showRememberedTheme } from "./page/theme";
import "./style/theme.css";
import "./style/base.css";
import "./style/page.css";
import "./style/card.css";
import "./style/try.css";
import "./style/why.css";
import "./style/stage.css";
import "./style/jobs.css";
import "./style/label.css";

showRememberedTheme();
render(<App />, document.getElementById("app")!);
