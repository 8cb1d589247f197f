/** What every command has in common: arguments, help, exit codes, and one line for an error. */
import { parseArgs, type ParseArgsConfig } from "node:util";

/** Options as `parseArgs` takes them. */
type Options = NonNullable<ParseArgsConfig["options"]>;

/** An error that is told in its own words, without a stack trace. */
export class Problem extends Error {
  /** @param exitCode what the command ends with */
  constructor(
    message: string,
    readonly exitCode: number = 1,
  ) {
    super(message);
  }
}

/** What a command is called, and what it takes. */
export interface CommandDescription {
  /** As `npm run` knows it. */
  readonly name: string;
  /** What it does, in a sentence or more. */
  readonly summary: string;
  /** What follows the name, such as `FOLDER [--stack NAME]`. */
  readonly usage: string;
  /** A line each: an option or argument, and what it means. */
  readonly details?: readonly string[];
  readonly options: Options;
  /** Least and most arguments beside options. @default none */
  readonly positionals?: readonly [least: number, most: number];
  /**
   * Whether another command follows the first argument, after `--` or not, whose options are its own.
   *
   * @default false
   */
  readonly runsOther?: boolean;
}

/** What a command was given. */
export interface Given {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;
  readonly positionals: readonly string[];
  /** The words of the other command, for one that {@link CommandDescription.runsOther}. */
  readonly other: readonly string[];
}

/** Options of every command that works on a stack. */
export const stackOption = { stack: { type: "string" } } as const;

function helpText(command: CommandDescription): string {
  const lines = [command.summary, "", `usage: npm run ${command.name} -- ${command.usage}`];
  const details = [...(command.details ?? [])];
  if ("stack" in command.options) {
    details.push("--stack NAME   the stack; default: the one that is selected");
  }
  if (details.length > 0) lines.push("", ...details.map((detail) => `  ${detail}`));
  return lines.join("\n");
}

/** Where another command begins that follows the first argument. npm takes the `--` before it away. */
function beginOfOther(args: readonly string[], options: Options): number {
  const { tokens } = parseArgs({ args, options, strict: false, tokens: true });
  const words = tokens.filter(({ kind }) => kind !== "option");
  return words[0]?.kind === "positional" ? (words[1]?.index ?? args.length) : args.length;
}

/** Reads arguments as `npm run` hands them on. @throws Problem for what the command does not know */
export function readArguments(command: CommandDescription, all: readonly string[]): Given {
  const [least, most] = command.positionals ?? [0, 0];
  try {
    const options: Options = { ...command.options, help: { type: "boolean", short: "h" } };
    const end = command.runsOther === true ? beginOfOther(all, options) : all.length;
    const other = all.slice(all[end] === "--" ? end + 1 : end);
    const { values, positionals } = parseArgs({
      args: all.slice(0, end),
      options,
      allowPositionals: true,
    }) as Omit<Given, "other">;
    if (values["help"] !== true && (positionals.length < least || positionals.length > most)) {
      throw new Error(
        positionals.length < least ? "something is missing" : `unexpected: ${positionals[most]}`,
      );
    }
    return { values, positionals, other };
  } catch (error) {
    throw new Problem(
      `${(error as Error).message}; usage: npm run ${command.name} -- ${command.usage}`,
    );
  }
}

/**
 * Runs a command and ends the process with what `work` returns: 0 when that is nothing. A {@link Problem}
 * is one line; anything else is a mistake of ours, and shown whole.
 */
export async function runCommand(
  command: CommandDescription,
  work: (given: Given) => Promise<number | undefined>,
): Promise<void> {
  try {
    const given = readArguments(command, process.argv.slice(2));
    if (given.values["help"] === true) {
      console.log(helpText(command));
      return;
    }
    process.exitCode = (await work(given)) ?? 0;
  } catch (error) {
    console.error(error instanceof Problem ? `${command.name}: ${error.message}` : error);
    process.exitCode = error instanceof Problem ? error.exitCode : 1;
  }
}
