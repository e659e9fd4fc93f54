import { ApolloProvider } from '@apollo/client/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { client } from './client';
import { Shop } from './shop';

createRoot(document.getElementById('shop')!).render(
  <StrictMode>
    <ApolloProvider client={client}>
      <Shop />
    </ApolloProvider>
  </StrictMode>,
);
