/** The button that prints the recovery kit: nothing inline, so it is wired up here. */

document.getElementById("print").onclick = () => print();
