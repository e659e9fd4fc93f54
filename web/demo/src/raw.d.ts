// What the build puts into the script: documents as text. Style sheets go into a file of their own.
declare module '*.graphql?raw' {
  const text: string;
  export default text;
}
declare module '*.css';
