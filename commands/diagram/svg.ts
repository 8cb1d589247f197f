/** The few elements of SVG that the drawing is made of. Same arguments, same text. */

/** Escapes text for an element or an attribute. */
export function escape(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

type Attributes = Readonly<Record<string, string | number | undefined>>;

/** One element with its content, which is SVG already. */
export function element(name: string, attributes: Attributes, content = ""): string {
  const written = Object.entries(attributes)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}="${escape(String(value))}"`)
    .join("");
  return content === "" ? `<${name}${written}/>` : `<${name}${written}>${content}</${name}>`;
}

/** A rectangle's place. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Horizontal middle of a box. */
export const middle = ({ x, width }: Box): number => x + width / 2;
/** Vertical middle of a box. */
export const centre = ({ y, height }: Box): number => y + height / 2;
/** Right edge of a box. */
export const right = ({ x, width }: Box): number => x + width;
/** Lower edge of a box. */
export const bottom = ({ y, height }: Box): number => y + height;

/** A rectangle with round corners. */
export function rectangle(box: Box, className: string, radius = 8): string {
  return element("rect", { ...box, rx: radius, class: className });
}

/** A line of text. `y` is its base line. */
export function text(
  x: number,
  y: number,
  content: string,
  className = "",
  anchor: "start" | "middle" | "end" = "start",
): string {
  return element(
    "text",
    {
      x,
      y,
      class: className === "" ? undefined : className,
      "text-anchor": anchor === "start" ? undefined : anchor,
    },
    escape(content),
  );
}

/** A path with an arrow head at its end, and at its start when it leads both ways. */
export function arrow(path: string, description: string, isTwoWay = false): string {
  return element(
    "path",
    {
      d: path,
      class: "arrow",
      "marker-end": "url(#head)",
      "marker-start": isTwoWay ? "url(#head)" : undefined,
    },
    description === "" ? "" : element("title", {}, escape(description)),
  );
}
