// Starts the page. Everything it needs is built in: it asks nothing of any other host.
import 'graphiql/setup-workers/vite';
import { createRoot } from 'react-dom/client';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-explorer/style.css';
import 'graphiql/graphiql.css';
import './page.css';
import { Page } from './page.jsx';

createRoot(document.getElementById('page')).render(<Page />);
