/**
 * One build per mode: `form` is a single file with its style inside, `pages` a script and a style.
 *
 * Two builds and not one with two entries, because what both use would become a third file, and
 * the form is to need one request.  `build.js` runs both and joins their manifests.
 */

import { defineConfig, type Plugin } from "vite";

/** Puts the style into the script, as a sheet that no `style-src` has to allow. */
function styleInScript(): Plugin {
  return {
    name: "style-in-script",
    apply: "build",
    enforce: "post",
    generateBundle(_options, bundle) {
      const files = Object.values(bundle);
      let style = "";
      for (const file of files) {
        if (file.type === "asset" && file.fileName.endsWith(".css")) {
          style += String(file.source).trim();
          delete bundle[file.fileName];
        }
      }
      const script = files.find((file) => file.type === "chunk" && file.isEntry);
      if (style === "" || script?.type !== "chunk") {
        return;
      }
      script.viteMetadata?.importedCss.clear();
      script.code =
        `{const s=new CSSStyleSheet;s.replaceSync(${JSON.stringify(style)});` +
        `document.adoptedStyleSheets=[...document.adoptedStyleSheets,s]}\n${script.code}`;
    },
  };
}

export default defineConfig(({ mode }) => ({
  // the service's address is known when it runs, not now
  base: "./",
  publicDir: false,
  plugins: mode === "form" ? [styleInScript()] : [],
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  define: { "process.env.NODE_ENV": JSON.stringify("production") },
  build: {
    outDir: "../jupyterhub_imagebuilder/static",
    emptyOutDir: false,
    assetsDir: "",
    manifest: `${mode}.manifest.json`,
    target: "es2022",
    modulePreload: false,
    reportCompressedSize: false,
    rollupOptions: {
      input: { [mode]: `src/${mode}/main.tsx` },
      output: {
        entryFileNames: "[name]-[hash].js",
        chunkFileNames: "[name]-[hash].js",
        assetFileNames: "[name]-[hash][extname]",
        hashCharacters: "hex",
        inlineDynamicImports: true,
      },
    },
  },
}));
