import { title } from "./title.js";

document.title = title;
fetch(API_PATH + "/words")
  .then((answer) => answer.json())
  .then((words) => (document.body.textContent = words.join(" ")));
