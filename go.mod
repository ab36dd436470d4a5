module github.com/warren-mq/warren

go 1.26
