"""`duban bench`: how good duban is, measured on figures that anybody can lay beside it."""
