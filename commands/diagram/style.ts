/** The drawing's fonts and colours, for light and for dark surroundings. */

interface Palette {
  readonly paper: string;
  readonly vpc: string;
  readonly card: string;
  readonly line: string;
  readonly ink: string;
  readonly quiet: string;
  readonly arrow: string;
  readonly server: string;
  readonly serverFill: string;
  readonly agents: string;
  readonly agentsFill: string;
  readonly content: string;
  readonly contentFill: string;
  readonly zones: readonly [string, string, string];
}

const light: Palette = {
  paper: "#ffffff",
  vpc: "#f6f8fa",
  card: "#ffffff",
  line: "#d0d7de",
  ink: "#1f2328",
  quiet: "#59636e",
  arrow: "#57606a",
  server: "#8250df",
  serverFill: "#f6f0ff",
  agents: "#0969da",
  agentsFill: "#e6f3ff",
  content: "#1a7f37",
  contentFill: "#e6f8ea",
  zones: ["#bf8700", "#cf222e", "#0550ae"],
};

const dark: Palette = {
  paper: "#0d1117",
  vpc: "#151b23",
  card: "#0d1117",
  line: "#3d444d",
  ink: "#f0f6fc",
  quiet: "#9aa4af",
  arrow: "#9aa4af",
  server: "#ab7df8",
  serverFill: "#231a36",
  agents: "#4493f8",
  agentsFill: "#12253f",
  content: "#3fb950",
  contentFill: "#12291a",
  zones: ["#d29922", "#f85149", "#79c0ff"],
};

function rules(palette: Palette): string {
  const group = (name: "server" | "agents" | "content"): string[] => {
    const fill = palette[`${name}Fill`];
    return [
      `.group-${name}{fill:none;stroke:${palette[name]};stroke-width:1.5;stroke-dasharray:6 4}`,
      `.name-${name}{fill:${palette[name]}}`,
      `.in-${name}{fill:${fill};stroke:${palette[name]};stroke-width:1}`,
    ];
  };
  return [
    `.paper{fill:${palette.paper}}`,
    `.vpc{fill:${palette.vpc};stroke:${palette.line}}`,
    `.card,.actor{fill:${palette.card};stroke:${palette.line}}`,
    `text{fill:${palette.ink}}`,
    `.quiet{fill:${palette.quiet}}`,
    `.arrow{fill:none;stroke:${palette.arrow};stroke-width:1.5}`,
    `.head{fill:${palette.arrow}}`,
    ...group("server"),
    ...group("agents"),
    ...group("content"),
    ...palette.zones.map((colour, index) => `.zone-${index}{fill:${colour}}`),
  ].join("");
}

/** The style sheet. */
export const style = [
  'text{font-family:system-ui,-apple-system,"Segoe UI","Noto Sans","DejaVu Sans",Helvetica,Arial,sans-serif;font-size:12.5px}',
  ".title{font-size:19px;font-weight:600}",
  ".strong{font-weight:600;font-size:13.5px}",
  ".small{font-size:11.5px}",
  rules(light),
  `@media (prefers-color-scheme:dark){${rules(dark)}}`,
].join("");
