// A workspace's address follows its name until somebody types the address themselves.
(() => {
  "use strict";
  const name = document.getElementById("id_name");
  const slug = document.getElementById("id_slug");
  if (!name || !slug || slug.value) return;
  let own = false;
  slug.addEventListener("input", () => { own = slug.value !== ""; });
  name.addEventListener("input", () => {
    if (own) return;
    slug.value = name.value.normalize("NFKD").toLowerCase().replace(/[\u0300-\u036f]/g, "")
      .replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 50).replace(/-+$/, "");
  });
})();
