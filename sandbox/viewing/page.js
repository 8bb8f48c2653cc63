// Puts the network and the curves of a run on its page. Needs sketch.js, film.js and curves.js.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  data.curves.forEach((spec, i) => drawCurves(document.getElementById(`curve-${i}`), spec));
  if (data.film) window.sketch = playFilm(document.getElementById("network"), data.film);
})();
