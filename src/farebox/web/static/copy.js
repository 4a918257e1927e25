// A button that copies the text of the element named by `for`. Without it the page loses nothing: text can be selected.
class CopyButton extends HTMLElement {
  connectedCallback() {
    if (this.firstChild || !navigator.clipboard) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      const source = document.getElementById(this.getAttribute("for"));
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Select and copy";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1600);
    });
    this.append(button);
  }
}

customElements.define("copy-button", CopyButton);
