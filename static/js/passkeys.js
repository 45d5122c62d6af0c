/* Passkeys: what allauth's script does for other forms by a script in the page, and words when the browser had no
   passkey, was told not to use one, or may not here. */
(() => {
  "use strict";
  document.addEventListener("DOMContentLoaded", () => {
    const add = document.getElementById("mfa_webauthn_add");
    if (!add) return;
    const { credential, passwordless } = add.dataset;
    allauth.webauthn.forms.addForm({ ids: { add: add.id, credential, passwordless, data: "js_data" } });
  });

  document.addEventListener("allauth.error", (event) => {
    event.preventDefault();
    const problem = document.getElementById("passkey_problem");
    problem.hidden = false;
    if (!isSecureContext) problem.textContent = "Browsers allow passkeys over https, and on localhost.";
  });
})();
