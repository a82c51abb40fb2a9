// Every word the page says, in one place, so that a second language can come.
// Sentences with something to fill in are functions.

function measure(name: string): string {
  if (name === "ece") return "calibration error";
  return /^(auc|f1|mae|mse|r2|rmse)$/.test(name) ? name.toUpperCase() : name.replaceAll("_", " ");
}

export const strings = {
  links: {
    models: "Models",
    jobs: "Jobs",
    docs: "Docs",
    graphql: "GraphQL",
    metrics: "Metrics",
    label: "Elsewhere on this server",
  },
  theme: { toDark: "Switch to dark", toLight: "Switch to light" },
  models: "Models",
  loading: "Looking for models…",

  empty: {
    title: "No models yet",
    text: "Train one, and it appears here by itself:",
    command: "numen demo",
  },
  key: {
    title: "A key is needed",
    text: "This server asks who calls. The key stays in this tab, and goes when it is closed.",
    label: "Key",
    send: "Use it",
  },
  away: {
    title: "The server is away",
    text: "Trying again every two seconds. The page carries on as soon as it answers.",
    brief: "The server is away. Trying again…",
  },

  card: {
    label: "About the model",
    version: (version: string) => `version ${version}`,
    alias: (alias: string, version: string, own: boolean) => (own ? alias : `${alias} → ${version}`),
    aliases: "Aliases",
    notReady: "not ready",
    goesBy: "What it goes by",
    goesByMeaning: (rows: number) =>
      `How much the loss grows when a column's values are dealt out anew among ${rows} test rows.`,
    versions: "Versions",
    framework: "Framework",
    family: "Family",
    dataset: "Data set",
    input: "Input",
    output: "Output",
    size: "Size",
    parity: "Parity",
    parityMeaning: "Largest difference between the framework's answers and the served model's",
    created: "Created",
    digest: "Digest",
    metric: (name: string) => {
      return name === "accuracy" ? "test accuracy" : measure(name);
    },
  },

  copy: { idle: "Copy", done: "Copied", what: (what: string) => `Copy ${what}` },

  attempt: {
    draw: "Draw, and watch it think",
    fields: "Fill in, and see",
    write: "Write, and see",
    hintText: "Write or paste a text",
    words: (words: number, letters: number) =>
      `${words === 1 ? "1 word" : `${words} words`}, ${letters === 1 ? "1 character" : `${letters} characters`}`,
    paste: "Paste rows, and see",
    withinMeaning: "Of rows like those it was set on, so many hold the truth.",
    oneOf: (level: number, labels: string[]) => `${+(level * 100).toPrecision(4)} %: ${labels.join(" or ")}`,
    between: (level: number, low: string, high: string) =>
      `${+(level * 100).toPrecision(4)} %: ${low} to ${high}`,
    rows: (given: number, steps: number) => {
      const said = given === 1 ? "1 row" : `${given} rows`;
      return given > steps ? `${said}, of which the last ${steps} count` : `${said}, the latest last`;
    },
    raw: "Send a request",
    hintDigits: "Draw a digit",
    hint: "Draw here",
    canvas: "Drawing area. Draw with mouse, touch or pen; Escape clears.",
    clear: "Clear",
    preview: (width: number, height: number) => `${width} × ${height}`,
    previewMeaning: "what the model sees",
    scores: "Score of each label",
    nothing: "–",
    summary: (label: string, percent: string) => `${label}, ${percent}`,
    median: (ms: string) => `median ${ms}`,
    rtt: "Round trip",
    few: (shown: number, all: number) => `The best ${shown} of ${all} labels`,
    predict: "Predict",
    choose: "Choose…",
    file: "Choose a file",
    date: "2024-01-31 or 2024-01-31 12:00",
    mayLack: "What is left empty counts as missing.",
    request: "Request, Open Inference Protocol V2",
    send: "Send",
    answer: "Answer",
  },

  why: {
    title: "Why?",
    meaning: "Show what speaks for the answer and what against it",
    waiting: "What speaks for the answer is coloured as soon as there is one",
    spoke: (parts: string, label: string) => `Which ${parts} spoke for “${label}”`,
    moved: (parts: string, target: string) => `Which ${parts} raised “${target}” or lowered it`,
    hangs: (parts: string, about: string) => `On which ${parts} “${about}” hangs`,
    others: "Choose another label to ask about that one.",
    ask: (label: string) => `Why ${label}?`,
    by: "by",
    parts: { image: "pixels", columns: "columns", text: "words", audio: "moments", window: "values" },
    nothing: {
      image: "a black picture",
      columns: "the average row",
      text: "a text without words",
      audio: "silence",
      window: "rows of zeros",
    },
    method: (name: string) => {
      if (name === "gradient-x-input") return "gradient × input";
      if (name === "tree-shap") return "Shapley values";
      return name === "kernel-shap" ? "sampled Shapley values" : name.replaceAll("-", " ");
    },
    meanings: {
      "integrated-gradients": (nothing: string) =>
        `How much each moved the answer, starting from the answer to ${nothing}; together they make up the whole difference.`,
      "gradient-x-input": () => "How steep the score is there, times what is there.",
      saliency: () => "How much the score would change with a small change there, whichever way.",
      "tree-shap": () => "What each adds to the sum of the trees, exactly.",
      "kernel-shap": (nothing: string) =>
        `What each is worth to the answer beside all others, starting from ${nothing}.`,
      occlusion: () => "What the answer loses without it.",
    } as Record<string, (nothing: string) => string>,
    faithful: (left: number, chance: number) =>
      `Faithful? Without the most important first, ${left.toFixed(2)} of the answer is left on average; without any at random, ${chance.toFixed(2)}.`,
    ofLabel: ["against", "for it"],
    ofQuantity: ["lowers it", "raises it"],
    size: ["little", "much"],
    heat: "Heat map: orange spoke for the answer, blue against it",
    grid: "Rows and columns by what they spoke for",
    step: (before: number) => (before ? `−${before}` : "latest"),
    rest: (count: number) => (count === 1 ? "1 other" : `${count} others`),
  },

  picture: {
    title: "Give a picture, and see",
    hint: "Drop, paste or choose a picture",
  },

  sound: {
    title: "Record, and see",
    hint: "Record, or drop a sound file here",
    record: "Record",
    stop: "Stop",
    play: "Play",
    pause: "Pause",
    from: "Drag to choose what the model hears",
    part: (from: number, to: number) => `from ${from.toFixed(2)} to ${to.toFixed(2)} seconds`,
    waveform: (seconds: number) => `Waveform of ${seconds.toFixed(2)} seconds`,
    asking: "Waiting for the microphone…",
    listening: "Recording",
    recording: (seconds: number) => `Recording, ${seconds.toFixed(1)} s`,
    hears: (length: number) => `The model hears ${length.toFixed(2)} s`,
    lasts: (seconds: number) => `${seconds.toFixed(2)} s`,
    longer: (seconds: number, length: number) =>
      `${seconds.toFixed(2)} s; the model hears ${length.toFixed(2)} s`,
    silent: "Nothing was heard. Is this the right microphone, and is it on?",
    forbidden: "The browser does not let this page use the microphone. Allow it beside the address, or choose a file.",
    noMicrophone: "There is no microphone. Choose a file instead.",
    insecure: "Browsers open the microphone only over HTTPS or on this machine (127.0.0.1). Choose a file instead.",
    unreadable: (name: string) => `${name} is not a sound that this browser can read.`,
  },

  call: {
    title: "Call it",
    teaser: "curl, Python, JavaScript",
    predict: "curl, the short way",
    text: "a few words",
    infer: "curl, Open Inference Protocol",
    python: "Python",
    javascript: "JavaScript",
  },

  jobs: {
    list: "Trainings",
    none: "None yet.",
    unnamed: "unnamed",
    of: (family: string, data: string) => `${family} on ${data}`.trim(),
    epoch: (epoch: number, epochs: number) => `epoch ${epoch} of ${epochs}`,
    metric: (name: string) => {
      const said = measure(name.replace(/^val_/, ""));
      return name.startsWith("val_") ? `${said} aside` : said;
    },
    curve: (name: string) => `${name} over the epochs`,
    kept: "The best model so far is kept.",
    told: "What it told",
    cancel: "Stop",
    stopping: "Stopping…",
    resume: "Go on",
    states: {
      queued: "waiting",
      running: "running",
      finished: "finished",
      failed: "failed",
      cancelled: "stopped",
      interrupted: "interrupted",
    },
    form: {
      title: "Train a model",
      data: "Data set",
      family: "Family",
      name: "Name of the model",
      epochs: "Epochs",
      usual: "as usual",
      pictures: "Pictures",
      tables: "Tables",
      texts: "Texts",
      sounds: "Sounds",
      send: "Train",
    },
  },

  label: {
    title: (dataset: string) => `Label ${dataset}`,
    count: (done: number, total: number) => `${done} of ${total}`,
    labels: "Labels",
    guesses: "What the model thinks",
    doubt: (share: string) => `in doubt: ${share}`,
    missing: "missing",
    skip: "Skip",
    play: "Play",
    pause: "Pause",
    space: "space",
    more: (count: number) => `… and ${count} more characters`,
    undo: "Undo",
    finish: (count: number) => (count ? `Add ${count} as the next version` : "Add as the next version"),
    adding: "Adding…",
    added: (version: string) => `Added ${version}. Train on it:`,
    train: (model: string, version: string) => `numen train ${model} --data ${version}`,
    done: "All rows are answered.",
    how: (model: string) =>
      `The rows come in the order in which ${model} is least sure. Each answer is kept at once.`,
    row: "What is to be labelled",
  },

  errors: {
    away: "The server did not answer.",
    status: (status: number) => `The server answered ${status}.`,
    noOutput: (name: string) => `The answer holds no output “${name}”.`,
    json: "This is not JSON yet.",
  },
} as const;
