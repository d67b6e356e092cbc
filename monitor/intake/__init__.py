"""How figures come in: handed in, filed or derived, sifted, and their originals kept."""
