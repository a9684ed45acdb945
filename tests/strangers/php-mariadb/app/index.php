<?php
$pdo = new PDO('mysql:host=db;dbname=guests', 'guests', 'guest-book-31');
$pdo->exec('CREATE TABLE IF NOT EXISTS visits (name VARCHAR(50) PRIMARY KEY)');
$pdo->exec("INSERT IGNORE INTO visits VALUES ('Ada')");
echo 'Guests: ' . implode(', ', $pdo->query('SELECT name FROM visits')->fetchAll(PDO::FETCH_COLUMN));
