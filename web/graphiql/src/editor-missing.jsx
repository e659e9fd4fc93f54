// Says that the editor, which comes after the page, did not come: the server has stopped in between.
import { useEffect, useState } from 'react';

export function EditorMissing() {
  const [isMissing, setMissing] = useState(false);

  useEffect(() => {
    const miss = () => setMissing(true);
    window.addEventListener('vite:preloadError', miss);
    return () => window.removeEventListener('vite:preloadError', miss);
  }, []);

  if (!isMissing) return null;
  return (
    <p className="editor-missing" role="alert">
      A part of this page did not come from the server. See whether it still runs, and load the page again.
    </p>
  );
}
