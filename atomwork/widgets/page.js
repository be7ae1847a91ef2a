// Files in, files out, and the page's own address; `page.py` is the other side.
const PART = 1 << 20; // bytes at a time, below any server's limit of a message

function save(name, bytes) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes]));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function refusal(file, model) {
  const kinds = model.get("kinds");
  const largest = model.get("largest");
  if (!kinds.some((kind) => file.name.toLowerCase().endsWith(kind)))
    return `${file.name} is of no kind that is read here; upload one of ${kinds.join(", ")}.`;
  if (file.size === 0 || file.size > largest * 1e6)
    return `${file.name} has ${Math.round(file.size / 1e6)} MB, between 0 and ${largest} are taken; crop or bin it first.`;
  return null;
}

function chooser(model, say) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  input.type = "file";
  input.accept = model.get("kinds").join(",");
  label.append("Upload an image ", input);
  let file = null;
  const send = async (at) => {
    const part = await file.slice(at, at + PART).arrayBuffer();
    say(`${file.name}: ${Math.round((100 * at) / file.size)} %`);
    model.send({ name: file.name, size: file.size, at }, undefined, [part]);
  };
  input.addEventListener("change", () => {
    file = input.files[0];
    const sentence = file && refusal(file, model);
    if (sentence) say(sentence);
    else if (file) send(0);
    input.value = "";
  });
  return { label, next: (at) => file && send(at) };
}

function downloads(model, row) {
  row.replaceChildren(
    ...model.get("names").map((name) => {
      const button = document.createElement("button");
      button.className = "jupyter-button";
      button.textContent = `Download ${name}`;
      button.style.width = "auto";
      button.addEventListener("click", () => model.send({ want: name }));
      return button;
    }),
  );
}

function comeBack(model) {
  const address = model.get("address");
  if (!address) return;
  const url = new URL(window.location);
  url.searchParams.set("session", address);
  url.searchParams.delete("token"); // the cookie has it
  window.history.replaceState(null, "", url);
}

function render({ model, el }) {
  const said = document.createElement("span");
  said.setAttribute("role", "status");
  said.style.marginLeft = "1em";
  const say = (sentence) => (said.textContent = sentence);
  const { label, next } = chooser(model, say);
  const row = document.createElement("span");
  el.append(label, row, said);
  downloads(model, row);
  comeBack(model);
  say(model.get("said"));
  model.on("change:names", () => downloads(model, row));
  model.on("change:said", () => say(model.get("said")));
  model.on("change:address", () => comeBack(model));
  model.on("msg:custom", (message, buffers) => {
    if (message.file) save(message.file, buffers[0]);
    else if (message.next) next(message.next);
    else if (message.stop) say(model.get("said"));
  });
}

export default { render };
