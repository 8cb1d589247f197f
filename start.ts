/**
 * What Pulumi runs: the settings are checked, then AWS is asked what it would refuse, and only then
 * is `index.ts` loaded, which registers resources as it is.
 */
import { accountGate } from "./components";
import { readSettings, warnAhead } from "./config";

export = async (): Promise<unknown> => {
  const settings = readSettings();
  warnAhead(settings);
  await accountGate(settings);
  // eslint-disable-next-line @typescript-eslint/no-require-imports -- import() adds an output `default`
  return require("./index");
};
