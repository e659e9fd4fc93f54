// Whatever is typed into the headers of one tab is in those of every tab, so that a token is pasted once. It is kept in
// the open page only, never stored. Shows nothing itself.
import { useEffect, useRef } from 'react';
import { useGraphiQL } from '@graphiql/react';

export function SameHeaders() {
  const tabId = useGraphiQL((state) => state.tabs[state.activeTabIndex]?.id);
  const editor = useGraphiQL((state) => state.headerEditor);
  const typed = useRef('');

  useEffect(() => {
    if (!editor) return undefined;
    const listening = editor.onDidChangeModelContent(({ isFlush }) => {
      // A flush is GraphiQL's: it puts in what the tab had when it was last open, and nothing for a line of the history.
      if (!isFlush) typed.current = editor.getValue();
      else if (editor.getValue() === '') queueMicrotask(() => show(editor, typed.current));
    });
    return () => listening.dispose();
  }, [editor]);

  useEffect(() => {
    if (editor) show(editor, typed.current);
  }, [tabId, editor]);

  return null;
}

function show(editor, headers) {
  if (editor.getValue() !== headers) editor.setValue(headers);
}
