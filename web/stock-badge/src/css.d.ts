// Style sheets, as the build puts them into the script: as text.
declare module '*.css?inline' {
  const text: string;
  export default text;
}
