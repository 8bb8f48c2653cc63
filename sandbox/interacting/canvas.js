// The sketch of a network as a widget: `net` is what is drawn, `frame` its last moment, `said` names and texts of figures,
// or one text that is a warning. Comes after sketch.js.
export default {
  render({ model, el }) {
    const host = make("div", { style: "max-width:44rem" });
    const said = make("div", { class: "sketch-said", role: "status" });
    el.append(host, said);
    const sketch = new Sketch(host, model.get("net"));
    const show = () => {
      const { state, positions, stiffness, sizes } = model.get("frame");
      sketch.show({ state: floats(state), positions: floats(positions), stiffness: floats(stiffness), sizes });
    };
    const tell = () => {
      const figures = model.get("said");
      if (typeof figures === "string") return said.replaceChildren(make("strong", {}, figures));
      said.replaceChildren(...Object.entries(figures).map(([name, text]) => make("span", {}, `${name} `, make("b", {}, text))));
    };
    show();
    tell();
    model.on("change:frame", show);
    model.on("change:said", tell);
    return () => {
      model.off("change:frame", show);
      model.off("change:said", tell);
    };
  },
};
