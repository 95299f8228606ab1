// The parts of the page that are loaded when they are wanted, in one script with their texts.
export { Operator } from "./operator";
export { Settings } from "./settings";
