/** Templates are imported as text (`with { type: "text" }`), so that they are inside the compiled program. */
declare module "*.md" {
  const text: string;
  export default text;
}
