// Sign-in form for the access token, shown only if the server requires one.

import { removeToken, storeToken, token } from "./session.js";

const WRONG = "This token is wrong. The right one is in the file that server.token_file names on the server.";

export class SignIn {
  /** @param {{form: HTMLFormElement, out: HTMLButtonElement, onToken: () => void, onOut: () => void}} parts */
  constructor({ form, out, onToken, onOut }) {
    this.form = form;
    this.out = out;
    [this.field, this.remember, this.trouble] = ["#token", "#remember", "#sign-in-trouble"]
      .map((selector) => form.querySelector(selector));
    form.addEventListener("submit", (event) => {
      event.preventDefault(); // the token is sent in a header, never in a URL
      storeToken(this.field.value.trim(), this.remember.checked);
      this.field.value = "";
      onToken();
    });
    out.addEventListener("click", () => {
      removeToken();
      onOut();
    });
  }

  update({ connection }) {
    const refused = connection.phase === "refused";
    if (refused && this.form.hidden) this.#open();
    else if (refused && token() !== null) this.#showWrong();
    if (connection.phase === "open") this.form.hidden = true;
    this.out.hidden = token() === null || connection.phase !== "open";
  }

  #open() {
    this.form.hidden = false;
    if (token() !== null) this.#showWrong();
    else this.trouble.hidden = true;
    this.field.focus();
  }

  #showWrong() {
    removeToken(); // a wrong token is useless
    this.trouble.textContent = WRONG;
    this.trouble.hidden = false;
    this.field.focus();
  }
}
