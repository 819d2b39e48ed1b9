/** The build inlines the optimised module: calling the import decodes it (`scripts/lib/wasm-text.mjs`). */
declare module "*.wasm" {
  const bytes: () => Uint8Array<ArrayBuffer>;
  export default bytes;
}
