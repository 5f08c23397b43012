// The form for the access token, shown only where the server asks for one.

import { forget, keep, token } from "./session.js";

const WRONG = "This token is not the right one. It is in the file that the server's configuration names as token_file.";

export class SignIn {
  /** @param {{form: HTMLFormElement, out: HTMLButtonElement, onToken: () => void, onOut: () => void}} parts */
  constructor({ form, out, onToken, onOut }) {
    this.form = form;
    this.out = out;
    [this.field, this.remember, this.trouble] = ["#token", "#remember", "#sign-in-trouble"]
      .map((selector) => form.querySelector(selector));
    form.addEventListener("submit", (event) => {
      event.preventDefault(); // the token goes into a header, never into an address
      keep(this.field.value.trim(), this.remember.checked);
      this.field.value = "";
      onToken();
    });
    out.addEventListener("click", () => {
      forget();
      onOut();
    });
  }

  update({ connection }) {
    const refused = connection.phase === "refused";
    if (refused && this.form.hidden) this.#open();
    else if (refused && token() !== null) this.#tellWrong();
    if (connection.phase === "open") this.form.hidden = true;
    this.out.hidden = token() === null || connection.phase !== "open";
  }

  #open() {
    this.form.hidden = false;
    if (token() !== null) this.#tellWrong();
    else this.trouble.hidden = true;
    this.field.focus();
  }

  #tellWrong() {
    forget(); // once told, it is of no use any more
    this.trouble.textContent = WRONG;
    this.trouble.hidden = false;
    this.field.focus();
  }
}
