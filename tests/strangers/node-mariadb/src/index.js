const http = require("http");
const mysql = require("mysql2/promise");

const pool = mysql.createPool({
  host: process.env.MYSQL_HOST,
  user: process.env.MYSQL_USER,
  password: process.env.MYSQL_PASSWORD,
  database: process.env.MYSQL_DB,
});

http
  .createServer(async (request, response) => {
    try {
      const [rows] = await pool.query("SELECT name FROM todo_items ORDER BY id");
      response.setHeader("Content-Type", "application/json");
      response.end(JSON.stringify(rows.map((row) => row.name)));
    } catch (error) {
      response.statusCode = 500;
      response.end(String(error));
    }
  })
  .listen(3000, () => console.log("Listening on port 3000"));
