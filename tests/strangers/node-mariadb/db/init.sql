CREATE TABLE todo_items (id INT AUTO_INCREMENT PRIMARY KEY, name VARCHAR(255));
INSERT INTO todo_items (name) VALUES ('feed the cat'), ('water the plants');
