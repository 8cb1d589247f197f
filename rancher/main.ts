/** Entry of the plugin process. */
import { definition } from "./definition";
import { serve } from "./plugin/serve";

serve(definition).catch((error: unknown) => {
  process.stderr.write(`${String(error)}\n`);
  process.exitCode = 1;
});
