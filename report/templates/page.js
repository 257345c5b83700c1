(function () {
  "use strict";
  var screenIsDark = window.matchMedia("(prefers-color-scheme: dark)");
  var settings = { displayModeBar: false, responsive: true, showTips: false };

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function dressed(layout) {
    var worn = Object.assign({}, layout);
    worn.font = { family: colour("--font"), size: 12.5, color: colour("--muted") };
    worn.paper_bgcolor = "rgba(0,0,0,0)";
    worn.plot_bgcolor = "rgba(0,0,0,0)";
    worn.hoverlabel = {
      bgcolor: colour("--surface"),
      bordercolor: colour("--line-strong"),
      font: { family: colour("--font"), size: 13, color: colour("--ink") },
      align: "left",
    };
    ["xaxis", "yaxis"].forEach(function (axis) {
      worn[axis] = Object.assign({}, layout[axis], {
        gridcolor: colour("--line"),
        linecolor: colour("--line-strong"),
      });
    });
    return worn;
  }

  function draw(holder) {
    var figure = JSON.parse(document.getElementById(holder.id + "-figure").textContent);
    var notice = holder.querySelector("noscript");
    if (notice) {
      notice.remove();
    }
    window.Plotly.react(holder, figure.data, dressed(figure.layout), settings);
  }

  function drawAll() {
    Array.prototype.forEach.call(document.querySelectorAll(".chart-holder"), draw);
  }

  drawAll();
  screenIsDark.addEventListener("change", drawAll);
  window.addEventListener("beforeprint", function () {
    document.documentElement.classList.add("on-paper");
    // The first pass makes room for names, the second puts legends where they then belong; on the screen
    // Plotly does this later by itself, but paper does not wait.
    drawAll();
    drawAll();
  });
  window.addEventListener("afterprint", function () {
    document.documentElement.classList.remove("on-paper");
    drawAll();
  });
})();
