import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Provider } from 'urql';
import { client } from './client';
import { Shop } from './shop';

createRoot(document.getElementById('shop')!).render(
  <StrictMode>
    <Provider value={client}>
      <Shop />
    </Provider>
  </StrictMode>,
);
