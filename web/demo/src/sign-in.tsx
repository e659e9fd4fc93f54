// A place to paste a token, for servers that ask who is there.
import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { asToken, signIn, token } from './api/access.js';

export function SignIn() {
  const dialog = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const isNone = useSignal(false);
  const submit = (event: Event) => {
    event.preventDefault();
    const next = asToken(field.current?.value ?? '');
    isNone.value = next === null;
    if (next) signIn(next);
  };
  if (token.value) {
    return (
      <button type="button" class="bare" onClick={() => signIn('')}>
        Sign out
      </button>
    );
  }
  return (
    <>
      <button type="button" class="bare" onClick={() => dialog.current?.showModal()}>
        Sign in
      </button>
      <dialog ref={dialog} aria-labelledby="sign-in">
        <form onSubmit={submit}>
          <h2 id="sign-in">Sign in</h2>
          <p class="quiet">
            A server without a secret asks nobody, and everybody is staff. For others, paste a token, such as{' '}
            <code>onhand token</code> prints. It stays in this window.
          </p>
          <label class="field">
            <span>Token</span>
            <textarea ref={field} rows={4} required autocomplete="off" spellcheck={false} />
          </label>
          <div role="status" class="told">
            {isNone.value && <p class="notice bad">This is no token: it has letters that none has.</p>}
          </div>
          <div class="row">
            <button type="submit" class="main">
              Sign in
            </button>
            <button type="button" class="bare" onClick={() => dialog.current?.close()}>
              Back
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}
