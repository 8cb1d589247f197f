export { memoryPlan, type MemoryPlan } from "./instanceTypes";
export { readSettings, type Settings } from "./settings";
export { dataDirectories } from "./storage";
